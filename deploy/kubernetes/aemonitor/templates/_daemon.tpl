{{/* The container that follows and scores. Takes root, resources, extraEnv. Mounts come from the caller. */}}
{{- define "aemonitor.daemon" -}}
{{ include "aemonitor.container" (merge (dict "name" "aemonitor") .) }}
args: [run]
ports:
  - {name: http, containerPort: 9464, protocol: TCP}
{{- $get := dict "port" "http" "scheme" .root.Values.scheme -}}
{{- with .root.Values.probes.httpHeaders -}}
{{- $_ := set $get "httpHeaders" . -}}
{{- end }}
{{- $healthy := dict "httpGet" (merge (dict "path" "/-/healthy") $get) -}}
{{- $ready := dict "httpGet" (merge (dict "path" "/-/ready") $get) }}
# Nothing listens before the models are loaded.
startupProbe: {{- merge (deepCopy $healthy) .root.Values.probes.startup | toYaml | nindent 2 }}
# Whether all threads move. A full disk is no reason to be killed: reading pauses, and it is not ready.
livenessProbe: {{- merge (deepCopy $healthy) .root.Values.probes.liveness | toYaml | nindent 2 }}
readinessProbe: {{- merge (deepCopy $ready) .root.Values.probes.readiness | toYaml | nindent 2 }}
{{- end }}

{{/* An init container for streams that have no model yet: copies those of a volume, or learns. Once a model is there it
     does nothing. A daemon without any exits with 75. */}}
{{- define "aemonitor.firstModel" -}}
{{ include "aemonitor.container" (merge (dict "name" "first-model") .) }}
command: [/bin/sh, -euc]
args:
  - |
    cd /var/lib/aemonitor
    mkdir -p models
    {{- if .firstModel.volume }}
    for current in /first-models/*/current; do
      stream=$(basename "$(dirname "$current")")
      if [ -e "models/$stream/current" ]; then continue; fi
      rm -rf "models/$stream" first-model.part
      cp -r "/first-models/$stream" first-model.part
      mv first-model.part "models/$stream"
    done
    {{- else }}
    published() { for current in models/*/current; do if [ -e "$current" ]; then return 0; fi; done; return 1; }
    if published; then exit 0; fi
    code=0
    aemonitor retrain || code=$?
    if published; then exit 0; fi   # streams that did not learn yet do not hold up the others
    exit "$code"
    {{- end }}
{{- end }}
