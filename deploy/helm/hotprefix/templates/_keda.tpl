{{/* The ScaledObject of the workload that counts, and how KEDA signs in. In: root, workload. */}}
{{- define "hotprefix.scaledObject" -}}
{{- $v := .root.Values -}}
{{- $keda := .workload.values.autoscaling.keda -}}
{{- $auth := include "hotprefix.kedaAuthentication" .root | fromYaml -}}
{{- $ref := default (ternary .workload.name "" (not (empty $auth))) $keda.authenticationRef -}}
{{- $sasl := include "hotprefix.sasl" .root | fromYaml }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "hotprefix.metadata" (dict "root" .root "name" .workload.name "component" .workload.stage) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ $v.kind }}
    name: {{ .workload.name }}
    envSourceContainerName: hotprefix
  minReplicaCount: {{ $keda.minReplicas }}
  maxReplicaCount: {{ $keda.maxReplicas }}
  pollingInterval: {{ $keda.pollingInterval }}
  cooldownPeriod: {{ $keda.cooldownPeriod }}
  # Without an answer from Kafka the pods stay as many as they are.
  fallback:
    failureThreshold: 4
    replicas: {{ $keda.minReplicas }}
    behavior: currentReplicas
  triggers:
    {{- range $topic := $v.config.input.topics }}
    - type: kafka
      metadata:
        bootstrapServers: {{ include "hotprefix.bootstrapServers" $.root | quote }}
        consumerGroup: {{ $v.config.application_id }}-count
        topic: {{ $topic }}
        lagThreshold: {{ $keda.lagThreshold | int64 | quote }}
        offsetResetPolicy: {{ ternary "earliest" "latest" (eq ($v.config.input.start | default "latest") "earliest") }}
        # More pods than partitions would idle.
        allowIdleConsumers: "false"
        {{- if $v.kafka.tls.enabled }}
        tls: enable
        {{- end }}
        {{- with $sasl.mechanism }}
        sasl: {{ lower . | replace "-" "_" | replace "scram_sha_" "scram_sha" | replace "plain" "plaintext" }}
        {{- end }}
        {{- with $keda.triggerMetadata }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $ref }}
      authenticationRef:
        name: {{ . }}
      {{- end }}
    {{- end }}
{{- if and $auth (not $keda.authenticationRef) }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  {{- include "hotprefix.metadata" (dict "root" .root "name" .workload.name "component" .workload.stage) | nindent 2 }}
spec:
  {{- toYaml $auth | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The spec of a TriggerAuthentication from the same Secrets; an empty map if none is needed. */}}
{{- define "hotprefix.kedaAuthentication" -}}
{{- $secrets := list -}}
{{- $env := list -}}
{{- with include "hotprefix.sasl" . | fromYaml -}}
{{- if .username -}}
{{- $env = append $env (dict "parameter" "username" "name" "HOTPREFIX__KAFKA__SASL_USERNAME" "containerName" "hotprefix") -}}
{{- else -}}
{{- $secrets = append $secrets (dict "parameter" "username" "name" .secret "key" .usernameKey) -}}
{{- end -}}
{{- $secrets = append $secrets (dict "parameter" "password" "name" .secret "key" .passwordKey) -}}
{{- end -}}
{{- with include "hotprefix.tls" . | fromYaml -}}
{{- with .ca -}}
{{- $secrets = append $secrets (dict "parameter" "ca" "name" .secret "key" .key) -}}
{{- end -}}
{{- with .client -}}
{{- $secrets = append $secrets (dict "parameter" "cert" "name" .secret "key" .certKey) -}}
{{- $secrets = append $secrets (dict "parameter" "key" "name" .secret "key" .keyKey) -}}
{{- end -}}
{{- end -}}
{{- $spec := dict -}}
{{- with $secrets }}{{ $_ := set $spec "secretTargetRef" . }}{{ end -}}
{{- with $env }}{{ $_ := set $spec "env" . }}{{ end -}}
{{- toYaml $spec -}}
{{- end -}}
