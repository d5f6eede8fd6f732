{{/* What works and may not be meant. One line each. */}}
{{- define "hotprefix.warnings" -}}
{{- $v := .Values }}
{{- if and $v.rulePresets (not $v.rules) (not $v.rulesConfigMaps) }}
WARNING: only the chart's preset rules are active. Their thresholds (500 Mbit/s for a host) are examples: set your own in `rules`.
{{- end }}
{{- range (include "hotprefix.workloads" . | fromYaml).workloads }}
{{- $scale := include "hotprefix.scale" . | fromYaml }}
{{- $partitions := int .values.autoscaling.inputPartitions }}
{{- if eq (int $scale.maximum) 1 }}
WARNING: {{ .name }} has one pod: nothing is counted while it restarts, and a lost node costs minutes.
{{- end }}
{{- if and (eq $scale.by "replicas") (ne .stage "detect") $partitions (gt (int $scale.maximum) $partitions) }}
WARNING: {{ .name }} has {{ $scale.maximum }} pods for {{ $partitions }} input partitions: the others idle.
{{- end }}
{{- end }}
{{- if and (include "hotprefix.sasl" .) (not $v.kafka.tls.enabled) (not (eq (include "hotprefix.sasl" . | trim) "{}")) }}
WARNING: SASL without TLS: whoever is on the way can read{{ if eq $v.kafka.sasl.mechanism "PLAIN" }} the password and{{ end }} the flows. Set kafka.tls.enabled.
{{- end }}
{{- if not (or $v.podMonitor.enabled $v.serviceMonitor.enabled $v.otel.enabled) }}
WARNING: nobody watches the watcher: enable podMonitor and prometheusRule, or otel.
{{- end }}
{{- if $v.rulesConfigMaps }}
WARNING: pods read {{ join ", " $v.rulesConfigMaps }} when they start; after a change: kubectl -n {{ .Release.Namespace }} rollout restart {{ lower $v.kind }} -l app.kubernetes.io/instance={{ .Release.Name }}
{{- end }}
{{- if and $v.prometheusRule.enabled (not (.Files.Glob "files/prometheus/*.yaml")) }}
WARNING: this chart was packaged without alert rules; prometheusRule has no effect.
{{- end }}
{{- if and $v.strimzi.cluster (ne (include "hotprefix.strimziNamespace" .) .Release.Namespace) $v.kafka.tls.enabled (not $v.kafka.tls.ca.existingSecret) }}
WARNING: the CA of cluster {{ $v.strimzi.cluster }} is in namespace {{ $v.strimzi.namespace }}; copy its Secret here and name it in kafka.tls.ca.existingSecret.
{{- end }}
{{- if and $v.staticMembership.enabled (or $v.autoscaling.hpa.enabled $v.autoscaling.keda.enabled) }}
WARNING: with staticMembership nobody reads the partitions of a pod that was scaled away until session.timeout.ms is over.
{{- end }}
{{- end -}}
