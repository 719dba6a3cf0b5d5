{{/* Read-only, at the path that they have on the node: the links in /var/log/containers lead to such paths. */}}
{{- define "aemonitor.logMounts" -}}
{{- range $i, $path := . }}
- {name: logs-{{ $i }}, mountPath: {{ $path }}, readOnly: true, mountPropagation: HostToContainer}
{{- end }}
{{- end }}

{{/* Retraining of a node's daemon. A CronJob cannot run once on each node beside its state, a container of the pod can; it
     sleeps until it is time. Exit 75, nothing new published, is an answer that the log has, and so is every failure. */}}
{{- define "aemonitor.nodeRetrain" -}}
{{- $at := splitList ":" .retrain.at -}}
{{ include "aemonitor.container" (merge (dict "name" "retrain") .) }}
command: [/bin/sh, -uc]
args:
  - |
    trap 'exit 0' TERM
    at=$(( {{ index $at 0 | atoi }} * 3600 + {{ index $at 1 | atoi }} * 60 + $(printf %s "$NODE_NAME" | cksum | cut -d ' ' -f 1) % 3600 ))
    while :; do
      left=$(( (at - $(date +%s) % 86400 + 86400) % 86400 ))
      if [ "$left" -lt 60 ]; then left=$(( left + 86400 )); fi   # not twice in a night
      sleep "$left" & wait $!
      aemonitor retrain & wait $!
    done
{{- end }}

{{- define "aemonitor.placing" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
