"""Posts over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework import permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from posts import services
from posts.models import Post
from posts.permissions import OnlyAuthorMayChange
from posts.serializers import LikeSerializer, PostSerializer, ShareSerializer


class PostViewSet(viewsets.ModelViewSet):
    """List, write, change and delete posts; reply to, like and share them."""

    # The document learns from it what kind of id a post has.
    queryset = Post.objects.none()
    serializer_class = PostSerializer
    permission_classes = [permissions.IsAuthenticated, OnlyAuthorMayChange]

    def get_queryset(self):
        """Called by every action: the list shows no replies, the rest finds them."""
        posts = Post.objects.as_seen_by(self.request.user)
        return posts.filter(parent=None) if self.action == "list" else posts

    def perform_create(self, serializer):
        """Called by create() with valid data."""
        serializer.instance = services.create_post(
            author=self.request.user, **serializer.validated_data
        )

    @extend_schema(responses=PostSerializer(many=True))
    @action(detail=True)
    def replies(self, request, pk=None):
        """List the replies to a post, oldest first."""
        replies = Post.objects.as_seen_by(request.user).filter(parent=self.get_object())
        page = self.paginate_queryset(replies.order_by("created_at", "id"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={201: PostSerializer})
    @replies.mapping.post
    def reply(self, request, pk=None):
        """Reply to a post."""
        return self._publish(services.reply_to_post)

    @extend_schema(responses={201: ShareSerializer})
    @action(detail=True, methods=["post"], serializer_class=ShareSerializer)
    def share(self, request, pk=None):
        """Share a post, with or without a remark."""
        return self._publish(services.share_post)

    @extend_schema(request=None, responses=LikeSerializer)
    @action(detail=True, methods=["post"])
    def like(self, request, pk=None):
        """Like a post, or take the like back."""
        post = self.get_object()
        liked = services.toggle_like(post=post, user=request.user)
        return Response({"liked": liked, "like_count": post.liked_by.count()})

    def _publish(self, service):
        """Answer with the post that the service makes of the request and its post."""
        post = self.get_object()
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        serializer.instance = service(
            post=post, author=self.request.user, **serializer.validated_data
        )
        return Response(serializer.data, status=status.HTTP_201_CREATED)
