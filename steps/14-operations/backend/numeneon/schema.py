"""How the API is described as OpenAPI."""

import re

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Describes an operation: one method of one path."""

    def get_operation_id(self):
        """Called for the operation's name: no two have the same method and path."""
        return "_".join([self.method.lower(), *re.findall(r"\w+", self.path)])
