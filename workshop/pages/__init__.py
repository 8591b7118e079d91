"""The pages of the site: built, served, and told what the watch finds."""
