#!/usr/bin/env bash
# Makes an authority, a certificate for each service, and passwords, each in the folder of the service that uses it: FOLDER/<service>.
# Run again it changes nothing: the databases know the passwords, and the stored patients the patient key.
set -euo pipefail
umask 077
folder=$1
days=825

# Each service, and the number of the user that its image runs as.
declare -A users=([postgres]=999 [mongo]=999 [kafka]=1000 [prometheus]=65534 [grafana]=472 [esoz]=65532)

if [ -e "$folder/esoz/complete" ]; then
    exit
fi
for service in "${!users[@]}" owner media; do
    mkdir -p "$folder/$service"
done
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# A random password of letters and digits, which needs no escaping in a URL.
password() {
    openssl rand -hex 24
}

write() {
    printf '%s' "$2" > "$folder/$1"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=esoz compose authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$scratch/authority-key.pem" -out "$scratch/authority.pem" 2> "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }

# certificate SERVICE: key.pem and certificate.pem for a server and client of this name, both.pem with both, and the authority.
certificate() {
    local name=$1 to=$folder/$1
    {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$to/key.pem" -out "$scratch/request.pem" &&
        printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$name" > "$scratch/extensions" &&
        openssl x509 -req -in "$scratch/request.pem" -CA "$scratch/authority.pem" -CAkey "$scratch/authority-key.pem" -CAcreateserial \
            -days "$days" -extfile "$scratch/extensions" -out "$to/certificate.pem"
    } 2> "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
    cat "$to/key.pem" "$to/certificate.pem" > "$to/both.pem"
    cp "$scratch/authority.pem" "$to/authority.pem"
}

for service in "${!users[@]}"; do
    certificate "$service"
done

app_password=$(password) owner_password=$(password) mongo_password=$(password)
write postgres/postgres-password "$(password)"
write postgres/app-password "$app_password"
write postgres/owner-password "$owner_password"
write esoz/postgres-url "postgres://esoz_app:$app_password@postgres:5432/esoz"
write owner/postgres-owner-url "postgres://esoz_owner:$owner_password@postgres:5432/esoz"
write mongo/admin-password "$(password)"
write mongo/esoz-password "$mongo_password"
write mongo/replica-set-key "$(password)"
write esoz/mongodb-uri "mongodb://esoz:$mongo_password@mongo:27017/?replicaSet=rs0"
write esoz/patient-key "$(password)"
write grafana/admin-password "$(password)"

if [ "$(id -u)" = 0 ]; then
    for service in "${!users[@]}"; do
        chown -R "${users[$service]}:${users[$service]}" "$folder/$service"
    done
    chown -R "${users[esoz]}:${users[esoz]}" "$folder/owner" "$folder/media"
fi
# Last: what was interrupted is made anew.
touch "$folder/esoz/complete"
