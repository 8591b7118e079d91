"""Addresses below /api/messages/."""

from django.urls import path

from messaging import views

urlpatterns = [
    path("", views.MessageListView.as_view()),
    path("conversations/", views.ConversationListView.as_view()),
    path("conversation/<int:user_id>/", views.ConversationView.as_view()),
    path("conversation/<int:user_id>/read/", views.MarkReadView.as_view()),
]
