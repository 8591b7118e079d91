"""How posts look."""

from rest_framework import serializers

from posts.models import Post
from users.serializers import UserBriefSerializer


class PostSerializer(serializers.ModelSerializer):
    """A post. The defaults serve a post that was created a moment ago."""

    author = UserBriefSerializer(read_only=True)
    like_count = serializers.IntegerField(read_only=True, default=0)
    reply_count = serializers.IntegerField(read_only=True, default=0)
    liked = serializers.BooleanField(read_only=True, default=False)

    class Meta:
        model = Post
        fields = [
            "id",
            "author",
            "content",
            "parent",
            "shared_from",
            "like_count",
            "reply_count",
            "liked",
            "created_at",
        ]
        read_only_fields = ["parent", "shared_from"]
        extra_kwargs = {"content": {"required": True, "allow_blank": False}}


class LikeSerializer(serializers.Serializer):
    """Whether the user likes a post, and how many do."""

    liked = serializers.BooleanField()
    like_count = serializers.IntegerField()


class ShareSerializer(PostSerializer):
    """A share, which may say nothing of its own."""

    class Meta(PostSerializer.Meta):
        extra_kwargs = {"content": {"default": ""}}
