#!/usr/bin/env bash
# Ten minutes on real accounts: dev, a promotion, a rollback, and the clean-up, in projects that this script makes and
# removes. Needs pulumi, python3, npm and curl, and NEON_API_KEY and VERCEL_API_TOKEN of accounts that may make a project.
# On the local cloud (eval "$(.venv/bin/localcloud env)") it runs the same way.
set -euo pipefail
cd "$(dirname "$0")"

: "${NEON_API_KEY:?export it first}" "${VERCEL_API_TOKEN:?export it first}"
neon=${NEON_API_HOST:-https://console.neon.tech/api/v2} vercel=${VERCEL_API_URL:-https://api.vercel.com}
name=${SMOKE_NAME:-environments-smoke-$(date +%s)}
folder=$(mktemp -d)
export PULUMI_BACKEND_URL="file://$folder/backend" PULUMI_CONFIG_PASSPHRASE=smoke
unset PULUMI_CONFIG_PASSPHRASE_FILE
mkdir "$folder/backend"

step() { printf '\n== %s\n' "$*"; }
ask() { # ask METHOD URL: with the token on standard input, not among the arguments
    local token=$NEON_API_KEY
    [[ $2 == "$vercel"* ]] && token=$VERCEL_API_TOKEN
    curl -fsS -X "$1" -H @- "$2" <<<"Authorization: Bearer $token"
}
value() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda d, k: d[k], sys.argv[1:], json.load(sys.stdin)))' "$@"; }
output() { pulumi stack output -s "$1" --json | value "${@:2}"; }
served() {
    local domain
    domain=$(output prod domain)
    curl -fsS -H "Host: $domain" "${VERCEL_EDGE_URL:-https://$domain}/health" | value branch
}
expect() { # expect KEY: production answers from that branch
    local wanted
    wanted=$(output prod branches "$1")
    [[ $(served) == "$wanted" ]] || { echo "production does not answer from $1"; exit 1; }
    echo "production answers from $1"
}
clean() {
    step "clean-up"
    cd "$folder/program" || return
    project=$(output dev projects neon 2>/dev/null || true) hosted=$(output dev projects vercel 2>/dev/null || true)
    [[ -z $hosted ]] || ask DELETE "$vercel/v9/projects/$hosted" >/dev/null && echo "Vercel project removed"
    [[ -z $project ]] || ask DELETE "$neon/projects/$project" >/dev/null && echo "Neon project removed"
    rm -rf "$folder"
}

python3 -m localcloud workspace "$folder/program" >/dev/null
cd "$folder/program"
sed -i "s/environments-demo/$name/" Pulumi.dev.yaml
[[ -n ${NEON_API_HOST:-} ]] || { step "providers and Python packages"; rm -f .venv; pulumi install; }
trap clean EXIT

step "dev: both projects, a branch, its variables"
pulumi stack init dev && pulumi up -s dev --yes --skip-preview --non-interactive
branch=$(output dev branches dev) project=$(output dev projects neon)
uri="$neon/projects/$project/connection_uri?branch_id=$branch&database_name=neondb&role_name=neondb_owner"
DATABASE_URL=$(ask GET "$uri" | value uri)
export DATABASE_URL
(cd app && npm ci --silent --no-audit --no-fund && npm run --silent migrate && npm run --silent seed)
unset DATABASE_URL

step "prod: a clone of dev gets the domain"
pulumi stack init prod && pulumi up -s prod --yes --skip-preview --non-interactive
expect prod-v1

step "a promotion"
sed -i 's/^    prod-v1: .*/&\n    prod-v2: {from: {stack: dev, branch: dev}}/; s/serve: prod-v1/serve: prod-v2/' Pulumi.prod.yaml
pulumi preview -s prod --non-interactive
pulumi up -s prod --yes --skip-preview --non-interactive
expect prod-v2

step "the way back"
sed -i 's/serve: prod-v2/serve: prod-v1/' Pulumi.prod.yaml
pulumi up -s prod --yes --skip-preview --non-interactive
expect prod-v1

step "a second up changes nothing"
pulumi up -s dev --yes --skip-preview --non-interactive --expect-no-changes
pulumi up -s prod --yes --skip-preview --non-interactive --expect-no-changes
echo; echo "All went well."
