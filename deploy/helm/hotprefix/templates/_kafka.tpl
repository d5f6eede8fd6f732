{{/* How the pods reach Kafka: addresses, protocol, secrets. */}}

{{- define "hotprefix.strimziNamespace" -}}
{{- default .Release.Namespace .Values.strimzi.namespace -}}
{{- end -}}

{{/* Whether Secrets that Strimzi makes can be mounted: they are in the namespace of the cluster. Empty means no. */}}
{{- define "hotprefix.strimziSecrets" -}}
{{- if and .Values.strimzi.cluster (eq (include "hotprefix.strimziNamespace" .) .Release.Namespace) -}}yes{{- end -}}
{{- end -}}

{{- define "hotprefix.kafkaUser" -}}{{ include "hotprefix.fullname" . }}{{- end -}}

{{- define "hotprefix.bootstrapServers" -}}
{{- if .Values.kafka.bootstrapServers -}}
{{- .Values.kafka.bootstrapServers -}}
{{- else -}}
{{- printf "%s-kafka-bootstrap.%s.svc:%s" .Values.strimzi.cluster (include "hotprefix.strimziNamespace" .) (ternary "9093" "9092" .Values.kafka.tls.enabled) -}}
{{- end -}}
{{- end -}}

{{/* The user as hotprefix.sasl has it: mechanism, and username (text) or secret and keys. Empty map: no SASL. */}}
{{- define "hotprefix.sasl" -}}
{{- $s := .Values.kafka.sasl -}}
{{- $user := .Values.strimzi.user -}}
{{- if $s.mechanism -}}
{{- dict "mechanism" $s.mechanism "secret" $s.existingSecret "usernameKey" $s.usernameKey "passwordKey" $s.passwordKey | toYaml -}}
{{- else if and $user.enabled (eq $user.authentication "scram-sha-512") (include "hotprefix.strimziSecrets" .) -}}
{{- $name := include "hotprefix.kafkaUser" . -}}
{{- dict "mechanism" "SCRAM-SHA-512" "secret" $name "username" $name "passwordKey" "password" | toYaml -}}
{{- else -}}
{{- dict | toYaml -}}
{{- end -}}
{{- end -}}

{{/* TLS material: `ca` and `client`, each with secret and keys, where there is one. */}}
{{- define "hotprefix.tls" -}}
{{- $t := .Values.kafka.tls -}}
{{- $user := .Values.strimzi.user -}}
{{- $out := dict -}}
{{- if $t.enabled -}}
{{- if $t.ca.existingSecret -}}
{{- $_ := set $out "ca" (dict "secret" $t.ca.existingSecret "key" $t.ca.key) -}}
{{- else if include "hotprefix.strimziSecrets" . -}}
{{- $_ := set $out "ca" (dict "secret" (printf "%s-cluster-ca-cert" .Values.strimzi.cluster) "key" "ca.crt") -}}
{{- end -}}
{{- if $t.clientCertificate.existingSecret -}}
{{- $c := $t.clientCertificate -}}
{{- $_ := set $out "client" (dict "secret" $c.existingSecret "certKey" $c.certKey "keyKey" $c.keyKey) -}}
{{- else if and $user.enabled (eq $user.authentication "tls") (include "hotprefix.strimziSecrets" .) -}}
{{- $_ := set $out "client" (dict "secret" (include "hotprefix.kafkaUser" .) "certKey" "user.crt" "keyKey" "user.key") -}}
{{- end -}}
{{- end -}}
{{- $out | toYaml -}}
{{- end -}}

{{/* `secrets`: a list of {property, secret, key}, each a property of librdkafka whose value is in a Secret. */}}
{{- define "hotprefix.kafkaSecrets" -}}
{{- $list := list -}}
{{- with include "hotprefix.sasl" . | fromYaml -}}
{{- if .usernameKey -}}
{{- $list = append $list (dict "property" "sasl.username" "secret" .secret "key" .usernameKey) -}}
{{- end -}}
{{- $list = append $list (dict "property" "sasl.password" "secret" .secret "key" .passwordKey) -}}
{{- end -}}
{{- range .Values.kafka.secretProperties -}}
{{- $list = append $list (dict "property" .property "secret" .secret "key" .key) -}}
{{- end -}}
{{- dict "secrets" $list | toYaml -}}
{{- end -}}

{{/* What goes below `kafka` in config.yaml. */}}
{{- define "hotprefix.kafkaConfig" -}}
{{- $tls := include "hotprefix.tls" . | fromYaml -}}
{{- $sasl := include "hotprefix.sasl" . | fromYaml -}}
{{- $k := dict "bootstrap.servers" (include "hotprefix.bootstrapServers" .) -}}
{{- if and .Values.kafka.tls.enabled $sasl -}}
{{- $_ := set $k "security.protocol" "sasl_ssl" -}}
{{- else if .Values.kafka.tls.enabled -}}
{{- $_ := set $k "security.protocol" "ssl" -}}
{{- else if $sasl -}}
{{- $_ := set $k "security.protocol" "sasl_plaintext" -}}
{{- end -}}
{{- with $sasl -}}
{{- $_ := set $k "sasl.mechanism" .mechanism -}}
{{- with .username }}{{ $_ := set $k "sasl.username" . }}{{ end -}}
{{- end -}}
{{- if $tls.ca -}}
{{- $_ := set $k "ssl.ca.location" "/etc/hotprefix/tls/ca.crt" -}}
{{- end -}}
{{- if $tls.client -}}
{{- $_ := set $k "ssl.certificate.location" "/etc/hotprefix/tls/client.crt" -}}
{{- $_ := set $k "ssl.key.location" "/etc/hotprefix/tls/client.key" -}}
{{- end -}}
{{- mergeOverwrite $k (deepCopy (.Values.config.kafka | default dict)) | toYaml -}}
{{- end -}}
