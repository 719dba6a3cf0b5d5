{{- define "aemonitor.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Cut so that the longest name made of it (a CronJob's, 52 characters) has room for what is added. */}}
{{- define "aemonitor.fullname" -}}
{{- $name := include "aemonitor.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 26 | trimSuffix "-" }}
{{- end }}

{{- define "aemonitor.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "aemonitor.fullname" .) "default") }}
{{- end }}

{{- define "aemonitor.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- .Values.image.repository }}{{ .Values.image.digest | empty | ternary (printf ":%s" $tag) (printf "@%s" .Values.image.digest) }}
{{- end }}

{{- define "aemonitor.selector" -}}
app.kubernetes.io/name: {{ include "aemonitor.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aemonitor.labels" -}}
{{ include "aemonitor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* aemonitor.yaml of a configuration in the values. Every interface, since scrapers and the kubelet are no neighbours on
     the loopback address in a pod; who may come is said by the NetworkPolicy, or by users in `server.web_config`. */}}
{{- define "aemonitor.config" -}}
{{- mergeOverwrite (deepCopy .) (dict "server" (dict "listen" ":9464")) | toYaml }}
{{- end }}

{{- define "aemonitor.nodeConfig" -}}
{{- $config := .Values.node.config | default (.Files.Get "files/container-logs.yaml" | fromYaml) -}}
{{- include "aemonitor.config" $config }}
{{- end }}
