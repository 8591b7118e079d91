"""Addresses below /api/friends/."""

from django.urls import path

from friends import views

urlpatterns = [
    path("", views.FriendListView.as_view()),
    path("requests/", views.RequestListView.as_view()),
    path("request/<int:user_id>/", views.SendRequestView.as_view()),
    path("accept/<int:request_id>/", views.AcceptRequestView.as_view()),
    path("decline/<int:request_id>/", views.DeclineRequestView.as_view()),
    path("remove/<int:user_id>/", views.RemoveFriendView.as_view()),
]
