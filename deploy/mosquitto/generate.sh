#!/usr/bin/env bash
# Makes what compose.yaml needs: an authority, the broker's certificate, users with random passwords.
# Usage: generate.sh [FOLDER [NAME...]]: FOLDER is deploy/secrets; NAMEs are the host names and IP addresses that clients
# know the broker by.
# What exists is kept: delete the folder, or a file, to have it made anew.
set -euo pipefail
umask 077
folder=${1:-"$(dirname "$0")/../secrets"}
names=("${@:2}")
if ((${#names[@]} == 0)); then names=(mosquitto localhost "$(uname -n)"); fi
mkdir -p "$folder"
cd "$folder"

if [[ ! -e ca.key ]]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -sha256 \
    -subj "/CN=Streamer's broker authority" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout ca.key -out ca.crt 2>/dev/null
  rm -f server.key server.crt
fi

if [[ ! -e server.key ]]; then
  alternatives=
  for name in "${names[@]}"; do
    if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then kind=IP; else kind=DNS; fi
    alternatives+=",$kind:$name"
  done
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj "/CN=${names[0]}" \
    -keyout server.key -out server.csr 2>/dev/null
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -sha256 -out server.crt \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${alternatives#,}") 2>/dev/null
  rm -f server.csr
fi

for user in streamer sensor grafana; do
  if [[ ! -e ${user}_password ]]; then
    openssl rand -base64 24 >"${user}_password"
    rm -f passwords
  fi
done

if [[ ! -e passwords ]]; then
  for user in streamer sensor; do printf '%s:%s\n' "$user" "$(<"${user}_password")"; done >passwords
  if command -v mosquitto_passwd >/dev/null; then
    mosquitto_passwd -U passwords
  else
    docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/passwords:/passwords" eclipse-mosquitto:2.0.22 \
      mosquitto_passwd -U /passwords
  fi
fi

# Compose mounts these files with the owner they have here, and each container runs as another user. The folder is
# closed to all but its owner, so that on this machine nobody else reaches them.
chmod 0444 ca.crt server.crt server.key passwords -- *_password
echo "secrets in $PWD; sensors log in as sensor with the password in sensor_password, and trust ca.crt"
echo "clients know the broker as$(openssl x509 -in server.crt -noout -ext subjectAltName | tail -n 1 | tr -s ' ')"
