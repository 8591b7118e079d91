"""Where collectstatic puts the static files of production, and under which names."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """Names each file after its content, in the imports of JavaScript modules too."""

    # Off by default, and then `import "./api.js"` keeps the name without the hash.
    support_js_module_import_aggregation = True
