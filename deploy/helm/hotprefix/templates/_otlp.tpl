{{/* The port in otel.endpoint, or the default of its scheme. */}}
{{- define "hotprefix.otlpPort" -}}
{{- $url := urlParse .Values.otel.endpoint -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
