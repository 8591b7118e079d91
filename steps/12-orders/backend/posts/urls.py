"""Addresses below /api/posts/."""

from rest_framework.routers import SimpleRouter

from posts.views import PostViewSet

router = SimpleRouter()
router.register("", PostViewSet, basename="post")

urlpatterns = router.urls
