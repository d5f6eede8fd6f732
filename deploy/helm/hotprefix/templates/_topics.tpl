{{- define "hotprefix.topicReplicas" -}}
{{- (.Values.config.internal | default dict).replication_factor | default .Values.strimzi.topics.replicas | int -}}
{{- end -}}

{{/* One KafkaTopic. In: root, topic, settings. */}}
{{- define "hotprefix.topic" -}}
{{- $v := .root.Values }}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  {{- include "hotprefix.metadata" (dict "root" .root "name" (regexReplaceAll "[^a-z0-9.-]" (lower .topic) "-") "namespace" (include "hotprefix.strimziNamespace" .root) "labels" (dict "strimzi.io/cluster" $v.strimzi.cluster) "annotations" (ternary (dict "helm.sh/resource-policy" "keep") dict $v.strimzi.topics.keep)) | nindent 2 }}
spec:
  topicName: {{ .topic }}
  partitions: {{ (($v.config.internal | default dict).partitions | default 4) }}
  replicas: {{ include "hotprefix.topicReplicas" .root }}
  config:
    {{- toYaml (mergeOverwrite (dict "min.insync.replicas" $v.strimzi.topics.minInsyncReplicas) .settings) | nindent 4 }}
{{- end -}}
