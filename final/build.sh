#!/usr/bin/env bash
# Render runs this once for every deploy. Migrations are not its business: a build can
# fail or be thrown away, so render.yaml runs them just before the new version starts.
set -o errexit

cd "$(dirname "$0")"
python -m pip install -r requirements.txt
python backend/manage.py collectstatic --no-input
