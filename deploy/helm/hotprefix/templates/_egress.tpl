{{/* Whom pods may reach: everything, or DNS, brokers, the collector and what the operator adds. */}}
{{- define "hotprefix.egress" -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- if not $egress.restrict -}}
- {}
{{- else -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
- ports:
    {{- $ports := $egress.kafka.ports }}
    {{- if not $ports }}
    {{- range splitList "," (include "hotprefix.bootstrapServers" .) }}
    {{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) }}
    {{- end }}
    {{- end }}
    {{- range uniq $ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with $egress.kafka.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .Values.otel.enabled }}
- ports:
    - {port: {{ include "hotprefix.otlpPort" . }}, protocol: TCP}
{{- end }}
{{- with $egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The port in otel.endpoint, or the default of its scheme. */}}
{{- define "hotprefix.otlpPort" -}}
{{- $url := urlParse .Values.otel.endpoint -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
