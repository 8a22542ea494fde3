# syntax=docker/dockerfile:1.7

FROM node:22.20.0-bookworm-slim AS fonts
WORKDIR /fonts
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM python:3.11.14-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/production.txt /tmp/production.txt
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --require-hashes -r /tmp/production.txt

FROM caddy:2.10.2-alpine AS proxy
# A plain copy of the program carries no capability, so that it starts without any. It listens above 1024.
RUN cp /usr/bin/caddy /usr/bin/caddy.plain && mv /usr/bin/caddy.plain /usr/bin/caddy \
    && addgroup -S -g 10001 caddy && adduser -S -u 10001 -G caddy caddy \
    && mkdir -p /data/caddy /config/caddy && chown -R caddy:caddy /data /config
COPY deploy/Caddyfile /etc/caddy/Caddyfile
USER caddy
HEALTHCHECK --interval=15s --timeout=5s --retries=4 \
    CMD ["wget", "--quiet", "--output-document=-", "http://127.0.0.1:2019/config/apps/http/http_port"]

FROM python:3.11.14-slim-bookworm AS portal
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=govportal.settings BIND=0.0.0.0:8000 XDG_CACHE_HOME=/tmp/.cache
# WeasyPrint sets the PDFs with Pango. Fontconfig keeps its cache in memory: the file system can't be written to.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 govportal && useradd --uid 10001 --gid govportal --no-create-home --home-dir /nonexistent govportal \
    && install -d -o govportal -g govportal -m 0700 /var/lib/govportal /var/lib/govportal/evidence /var/lib/govportal/cards
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=fonts /fonts/node_modules ./node_modules
COPY manage.py ./
COPY govportal ./govportal
COPY apps ./apps
COPY templates ./templates
COPY static ./static
COPY static-fonts ./static-fonts
COPY deploy ./deploy
# The values only let the settings load; nothing of them stays in the image.
RUN SECRET_KEY=build DATABASE_URL=postgres://build/build REDIS_URL=redis://build SITE_URL=https://build.invalid \
    ORGANISATION_NAME=build EMAIL_URL=smtp://build DEFAULT_FROM_EMAIL=build@build.invalid \
    python manage.py collectstatic --no-input \
    && python -m compileall -q apps govportal
USER govportal
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=20s --retries=4 CMD ["python", "deploy/healthcheck.py", "web"]
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--worker-tmp-dir", "/dev/shm", "govportal.wsgi"]
