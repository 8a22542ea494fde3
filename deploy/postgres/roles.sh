#!/bin/bash
# Run once by the database's image, on empty data. The same roles as govportal/embedded/postgres_server.py makes.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username postgres \
  --set owner="$(cat /run/secrets/database_owner_password)" \
  --set web="$(cat /run/secrets/database_web_password)" <<'SQL'
-- The grants on tables are given to this group by the migrations.
CREATE ROLE govportal_app NOLOGIN;
-- Migrates. Not a superuser, so the triggers that refuse hold for it too.
CREATE ROLE govportal_owner LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD :'owner';
CREATE ROLE govportal_web LOGIN PASSWORD :'web';
GRANT govportal_app TO govportal_web;
GRANT govportal_app TO govportal_owner WITH INHERIT FALSE, SET TRUE;
CREATE DATABASE govportal OWNER govportal_owner;
SQL
