{{/* The files that hotprefix reads. */}}

{{/* config.yaml: `config`, and what the chart knows. */}}
{{- define "hotprefix.config" -}}
{{- $c := omit (deepCopy .Values.config) "kafka" -}}
{{- $_ := set $c "kafka" (include "hotprefix.kafkaConfig" . | fromYaml) -}}
{{- $address := ternary (printf "[%s]" .Values.http.address) .Values.http.address (contains ":" .Values.http.address) -}}
{{- $_ := set $c "http" (dict "listen" (printf "%s:%d" $address (int .Values.http.port))) -}}
{{- $files := default list $c.rule_files -}}
{{- if include "hotprefix.rules" . | fromYaml -}}
{{- $files = append $files "rules/*.yaml" -}}
{{- end -}}
{{- range .Values.rulesConfigMaps -}}
{{- $files = append $files (printf "/etc/hotprefix-rules/%s/*.yaml" .) -}}
{{- end -}}
{{- with $files }}{{ $_ := set $c "rule_files" . }}{{ end -}}
{{- if .Values.staticMembership.enabled -}}
{{- $_ := set $c "membership" "static" -}}
{{- end -}}
{{- toYaml $c -}}
{{- end -}}

{{/* A map from file name to text: presets and inline rules. */}}
{{- define "hotprefix.rules" -}}
{{- $files := dict -}}
{{- range .Values.rulePresets -}}
{{- $_ := set $files (printf "%s.yaml" .) ($.Files.Get (printf "files/rules/%s.yaml" .)) -}}
{{- end -}}
{{- range .Values.rules -}}
{{- $_ := set $files (printf "%s.yaml" .name) (toYaml .) -}}
{{- end -}}
{{- $files | toYaml -}}
{{- end -}}

{{/* A duration as in a rule → milliseconds. */}}
{{- define "hotprefix.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $sum := 0 -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^(\\d+(\\.\\d+)? ?(ms|s|m|h|d) ?)+$" $text) -}}
{{- fail (printf "strimzi.topics: %q is no duration such as 60s, 5m or 1h30m" $text) -}}
{{- end -}}
{{- range regexFindAll "[\\d.]+ ?(ms|s|m|h|d)" $text -1 -}}
{{- $number := regexFind "[\\d.]+" . | float64 -}}
{{- $sum = add $sum (mulf $number (get $units (regexFind "[a-z]+" .)) | ceil | int64) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* The longest interval + grace of all rules, in milliseconds. */}}
{{- define "hotprefix.longestWindow" -}}
{{- $given := .Values.strimzi.topics.longestWindow -}}
{{- $longest := 0 -}}
{{- if $given -}}
{{- $longest = include "hotprefix.milliseconds" $given | int64 -}}
{{- else if or .Values.rulesConfigMaps .Values.config.rule_files -}}
{{- fail "strimzi.topics.longestWindow is missing: <application_id>-partials must be kept for twice the longest interval + grace of all rules, and the chart does not see those of rulesConfigMaps and config.rule_files" -}}
{{- end -}}
{{- range $name, $text := include "hotprefix.rules" . | fromYaml -}}
{{- $rule := fromYaml $text -}}
{{- $interval := include "hotprefix.milliseconds" ($rule.interval | default "60s") | int64 -}}
{{- $grace := include "hotprefix.milliseconds" ($rule.grace | default "5s") | int64 -}}
{{- $longest = max $longest (add $interval $grace) -}}
{{- end -}}
{{- $longest -}}
{{- end -}}
