{{- define "hotprefix.testLabels" -}}
app.kubernetes.io/name: {{ include "hotprefix.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* A pod of `helm test`. In: root, what, args (list). */}}
{{- define "hotprefix.testPod" -}}
{{- $v := .root.Values -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
---
apiVersion: v1
kind: Pod
metadata:
  {{- include "hotprefix.metadata" (dict "root" .root "name" (printf "%s-test-%s" (include "hotprefix.fullname" .root) .what) "labels" (include "hotprefix.testLabels" .root | fromYaml) "annotations" $hook) | nindent 2 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ include "hotprefix.serviceAccountName" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $v.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .what }}
      image: {{ include "hotprefix.image" .root }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      {{- if eq .what "connect" }}
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- with include "hotprefix.secretEnv" .root | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $v.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $v.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "hotprefix.filesMounts" .root | nindent 8 }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      resources:
        requests: {cpu: 50m, memory: 64Mi, ephemeral-storage: 16Mi}
        limits: {memory: 256Mi, ephemeral-storage: 64Mi}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
  {{- if eq .what "connect" }}
  volumes:
    {{- include "hotprefix.filesVolume" .root | nindent 4 }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}
