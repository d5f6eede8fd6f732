{{/* The pod of a workload. In: root, workload. */}}

{{/* Everything below /etc/hotprefix, in one volume: configuration, rules, files, certificates, secrets. */}}
{{- define "hotprefix.filesVolume" -}}
{{- $fullname := include "hotprefix.fullname" . -}}
{{- $tls := include "hotprefix.tls" . | fromYaml -}}
- name: etc
  projected:
    # Readable for the group that the pod's fsGroup is, and nobody else.
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ $fullname }}-config
          items:
            - {key: config.yaml, path: config.yaml}
      {{- with include "hotprefix.rules" . | fromYaml }}
      - configMap:
          name: {{ $fullname }}-rules
          items:
            {{- range $file := keys . | sortAlpha }}
            - {key: {{ $file }}, path: rules/{{ $file }}}
            {{- end }}
      {{- end }}
      {{- with .Values.files }}
      - configMap:
          name: {{ $fullname }}-files
          items:
            {{- range $file := keys . | sortAlpha }}
            - {key: {{ $file }}, path: files/{{ $file }}}
            {{- end }}
      {{- end }}
      {{- with .Values.setFiles }}
      - configMap:
          name: {{ $fullname }}-sets
          items:
            {{- range $file := keys . | sortAlpha }}
            - {key: {{ $file }}, path: sets/{{ $file }}}
            {{- end }}
      {{- end }}
      {{- with $tls.ca }}
      - secret:
          name: {{ .secret }}
          items:
            - {key: {{ .key }}, path: tls/ca.crt}
      {{- end }}
      {{- with $tls.client }}
      - secret:
          name: {{ .secret }}
          items:
            - {key: {{ .certKey }}, path: tls/client.crt}
            - {key: {{ .keyKey }}, path: tls/client.key}
      {{- end }}
      {{- if eq .Values.kafka.secretsAs "file" }}
      {{- range (include "hotprefix.kafkaSecrets" . | fromYaml).secrets }}
      - secret:
          name: {{ .secret }}
          items:
            - {key: {{ .key }}, path: secrets/{{ .property }}}
      {{- end }}
      {{- end }}
{{- range $i, $name := .Values.rulesConfigMaps }}
- name: rules-{{ $i }}
  configMap:
    name: {{ $name }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "hotprefix.filesMounts" -}}
- name: etc
  mountPath: /etc/hotprefix
  readOnly: true
{{- range $i, $name := .Values.rulesConfigMaps }}
- name: rules-{{ $i }}
  mountPath: /etc/hotprefix-rules/{{ $name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Properties of librdkafka whose values are in Secrets. */}}
{{- define "hotprefix.secretEnv" -}}
{{- range (include "hotprefix.kafkaSecrets" . | fromYaml).secrets }}
{{- $variable := printf "HOTPREFIX__KAFKA__%s" (.property | replace "." "_" | upper) }}
{{- if eq $.Values.kafka.secretsAs "env" }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}
{{- else }}
- name: {{ $variable }}_FILE
  value: /etc/hotprefix/secrets/{{ .property }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "hotprefix.otelEnv" -}}
{{- $o := .root.Values.otel -}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ $o.endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ $o.protocol }}
{{- range $signal := list "traces" "metrics" "logs" }}
- name: OTEL_{{ upper $signal }}_EXPORTER
  value: {{ ternary "otlp" "none" (has $signal $o.signals) }}
{{- end }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $o.samplingRatio | toString | quote }}
- name: OTEL_METRIC_EXPORT_INTERVAL
  value: {{ $o.metricExportInterval | int | quote }}
{{- with $o.headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $o.headersKey }}}
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ include "hotprefix.resourceAttributes" . | quote }}
{{- end -}}

{{- define "hotprefix.resourceAttributes" -}}
{{- $kind := lower .root.Values.kind -}}
k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.pod.uid=$(POD_UID),k8s.node.name=$(NODE_NAME),k8s.container.name=hotprefix,k8s.{{ $kind }}.name={{ .workload.name }}
{{- range $key, $value := .root.Values.otel.resourceAttributes -}}
,{{ $key }}={{ $value }}
{{- end -}}
{{- end -}}

{{- define "hotprefix.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
periodSeconds: {{ .probe.periodSeconds }}
timeoutSeconds: {{ .probe.timeoutSeconds }}
failureThreshold: {{ .probe.failureThreshold }}
{{- end -}}

{{- define "hotprefix.container" -}}
{{- $v := .root.Values -}}
name: hotprefix
image: {{ include "hotprefix.image" .root }}
imagePullPolicy: {{ $v.image.pullPolicy }}
args:
  - run
  - --config=/etc/hotprefix/config.yaml
  {{- if ne .workload.stage "all" }}
  - --stage={{ .workload.stage }}
  {{- end }}
  {{- with $v.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  # The pod's name is the instance id.
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- with include "hotprefix.secretEnv" .root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- if $v.otel.enabled }}
  {{- include "hotprefix.otelEnv" . | nindent 2 }}
  {{- end }}
  {{- with .workload.values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $v.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ $v.http.port }}
startupProbe:
  {{- include "hotprefix.probe" (dict "path" "/livez" "probe" $v.probes.startup) | nindent 2 }}
livenessProbe:
  {{- include "hotprefix.probe" (dict "path" "/livez" "probe" $v.probes.liveness) | nindent 2 }}
readinessProbe:
  {{- include "hotprefix.probe" (dict "path" "/readyz" "probe" $v.probes.readiness) | nindent 2 }}
resources:
  {{- toYaml .workload.values.resources | nindent 2 }}
securityContext:
  {{- toYaml $v.securityContext | nindent 2 }}
volumeMounts:
  {{- include "hotprefix.filesMounts" .root | nindent 2 }}
  {{- with $v.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Pods of one workload prefer different nodes. */}}
{{- define "hotprefix.affinity" -}}
{{- if .workload.values.affinity -}}
{{- toYaml .workload.values.affinity -}}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "hotprefix.workloadSelector" . | nindent 12 }}
{{- end -}}
{{- end -}}

{{- define "hotprefix.workloadSelector" -}}
{{ include "hotprefix.selectorLabels" .root }}
app.kubernetes.io/component: {{ .workload.stage }}
{{- end -}}

{{- define "hotprefix.podTemplate" -}}
{{- $v := .root.Values -}}
{{- $w := .workload.values -}}
{{- /* Without the chart's version, which alone is no reason to restart. */ -}}
{{- $labels := omit (include "hotprefix.labels" .root | fromYaml) "helm.sh/chart" -}}
{{- $_ := set $labels "app.kubernetes.io/component" .workload.stage -}}
metadata:
  annotations:
    kubectl.kubernetes.io/default-container: hotprefix
    # A pod reads its files when it starts, those of sets apart: a change of one is a change of the pod.
    checksum/config: {{ include "hotprefix.config" .root | sha256sum }}
    checksum/rules: {{ include "hotprefix.rules" .root | sha256sum }}
    {{- with $v.files }}
    checksum/files: {{ toYaml . | sha256sum }}
    {{- end }}
    {{- with $w.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- toYaml (mergeOverwrite $labels (deepCopy $w.podLabels)) | nindent 4 }}
spec:
  serviceAccountName: {{ include "hotprefix.serviceAccountName" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $w.priorityClassName }}
  priorityClassName: {{ . }}
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
  {{- with $w.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $w.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    {{- include "hotprefix.affinity" . | nindent 4 }}
  {{- with $w.topologySpread.topologyKeys }}
  topologySpreadConstraints:
    {{- range . }}
    - topologyKey: {{ . }}
      maxSkew: {{ $w.topologySpread.maxSkew }}
      whenUnsatisfiable: {{ $w.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "hotprefix.workloadSelector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $v.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - {{- include "hotprefix.container" . | nindent 6 }}
    {{- with $v.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "hotprefix.filesVolume" .root | nindent 4 }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
