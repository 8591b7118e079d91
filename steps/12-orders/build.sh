#!/usr/bin/env bash
# Render runs this once for every deploy. Migrations run later, when the new version
# starts: a build can fail, or be thrown away.
set -o errexit

cd "$(dirname "$0")"
python -m pip install -r requirements.txt
python backend/manage.py collectstatic --no-input
