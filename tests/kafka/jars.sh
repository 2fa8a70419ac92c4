#!/usr/bin/env bash
# jars.sh VERSION FOLDER: the jars of an Apache Kafka in FOLDER, from Maven Central unless they are
# there. Fails, saying why, where they can't be had.
set -euo pipefail
version=$1 folder=$2
[ -f "$folder/complete" ] && exit 0
command -v mvn >/dev/null || { echo "there is no mvn" >&2; exit 1; }
mkdir -p "$folder"
timeout 240 mvn -q -B -f "$(dirname "$0")/pom.xml" dependency:copy-dependencies \
  "-Dkafka.version=$version" "-DoutputDirectory=$folder" >"$folder/mvn.log" 2>&1 ||
  { echo "Maven could not fetch Kafka $version: see $folder/mvn.log" >&2; exit 1; }
touch "$folder/complete"
