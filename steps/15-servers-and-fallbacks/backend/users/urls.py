"""Addresses below /api/auth/."""

from django.urls import path

from users import views

urlpatterns = [
    path("signup/", views.SignupView.as_view()),
    path("login/", views.LoginView.as_view()),
    path("logout/", views.LogoutView.as_view()),
    path("password/", views.PasswordView.as_view()),
    path("token/refresh/", views.RefreshView.as_view()),
    path("me/", views.MeView.as_view()),
    path("search/", views.SearchView.as_view()),
]
