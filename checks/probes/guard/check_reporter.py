"""What Django answers while DEBUG is on and a request fails, in a project that is checked."""

import html
import traceback

from django.views.debug import ExceptionReporter


class PlainReporter(ExceptionReporter):
    """Answers with the error and its traceback, in the shape of Django's own plain text.

    Django's answer also has every variable, and resolves the URL once more. If urls.py itself
    is broken, that fails too, in each middleware anew: two seconds of work for one request.
    """

    def get_traceback_text(self):
        """The error, the request, and the traceback."""
        path, method = self.request.path_info, self.request.method
        found = traceback.format_exception(self.exc_type, self.exc_value, self.tb)
        lines = [f"{self.exc_type.__name__} at {path}", str(self.exc_value)]
        return "\n".join([*lines, "", f"Request Method: {method}", "", "".join(found)])

    def get_traceback_html(self):
        """The same as a page."""
        text = html.escape(self.get_traceback_text())
        return f"<title>{text.splitlines()[0]}</title><pre>{text}</pre>"
