"""What Django answers while DEBUG is on and a request fails, in a project that is checked."""

import html
import traceback

from django.views.debug import ExceptionReporter


class PlainReporter(ExceptionReporter):
    """Answers with the traceback alone.

    Django's own page shows every variable and resolves the URL once more. If urls.py itself
    is broken, that fails too, in each middleware anew: two seconds of work for one request.
    """

    def get_traceback_text(self):
        """The traceback as text."""
        found = traceback.format_exception(self.exc_type, self.exc_value, self.tb)
        return "".join(found)

    def get_traceback_html(self):
        """The traceback as a page."""
        return f"<pre>{html.escape(self.get_traceback_text())}</pre>"
