{{/* What all pods have in common. Takes root, and groups: supplementary groups. */}}
{{- define "aemonitor.podSecurity" -}}
serviceAccountName: {{ include "aemonitor.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  {{- with .groups }}
  supplementalGroups: {{- toYaml . | nindent 4 }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Takes root, name, resources, extraEnv. */}}
{{- define "aemonitor.container" -}}
name: {{ .name }}
image: {{ include "aemonitor.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .resources | nindent 2 }}
env:
  - {name: AEMONITOR_CONFIG, value: /etc/aemonitor/aemonitor.yaml}
  - {name: STATE_DIRECTORY, value: /var/lib/aemonitor}
  - {name: CREDENTIALS_DIRECTORY, value: /run/credentials/aemonitor}
  - {name: HOME, value: /tmp}
  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  # Otherwise torch trains with a thread for each core of the node and is throttled to its share of them.
  - {name: OMP_NUM_THREADS, valueFrom: {resourceFieldRef: {containerName: {{ .name }}, resource: limits.cpu}}}
  {{- with .extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* A directory, not a subPath: only so the file is renewed when the ConfigMap changes. */}}
{{- define "aemonitor.mounts" -}}
- {name: config, mountPath: /etc/aemonitor, readOnly: true}
- {name: state, mountPath: /var/lib/aemonitor}
- {name: tmp, mountPath: /tmp}
{{- if .Values.secret }}
- {name: secret, mountPath: /run/credentials/aemonitor, readOnly: true}
{{- end }}
{{- end }}

{{/* Takes root, and config: the name of the ConfigMap. */}}
{{- define "aemonitor.volumes" -}}
- name: config
  configMap: {name: {{ .config }}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .root.Values.secret }}
- name: secret
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "aemonitor.podAnnotations" -}}
{{- $annotations := deepCopy .root.Values.podAnnotations -}}
{{- if .root.Values.restartOnConfigChange -}}
{{- $_ := set $annotations "checksum/config" (sha256sum .config) -}}
{{- end -}}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
