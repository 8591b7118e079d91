"""Addresses below /api/v1/announcements/."""

from django.urls import path

from announcements import views

urlpatterns = [
    path("", views.AnnouncementListView.as_view()),
    path("unread-count/", views.UnreadCountView.as_view()),
    path("read/", views.MarkReadView.as_view()),
]
