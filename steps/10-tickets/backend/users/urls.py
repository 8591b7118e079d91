"""Addresses below /api/auth/."""

from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

from users import views

urlpatterns = [
    path("signup/", views.SignupView.as_view()),
    path("login/", TokenObtainPairView.as_view()),
    path("token/refresh/", views.RefreshView.as_view()),
    path("me/", views.MeView.as_view()),
    path("search/", views.SearchView.as_view()),
]
