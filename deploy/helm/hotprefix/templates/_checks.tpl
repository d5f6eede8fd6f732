{{/* What no schema can say: each wrong combination with what would be right. */}}
{{- define "hotprefix.checks" -}}
{{- $v := .Values -}}
{{- $kafka := $v.config.kafka | default dict -}}
{{- if and (not $v.kafka.bootstrapServers) (not $v.strimzi.cluster) -}}
{{- fail "kafka.bootstrapServers is missing: give the brokers to begin with, such as kafka-bootstrap.kafka.svc:9092, or name a Strimzi cluster in strimzi.cluster" -}}
{{- end -}}
{{- range splitList "," $v.kafka.bootstrapServers -}}
{{- if and . (not (regexMatch "^(\\[[0-9a-fA-F:]+\\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$" (trim .))) -}}
{{- fail (printf "kafka.bootstrapServers: %q is not HOST:PORT, such as kafka-bootstrap.kafka.svc:9092" .) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $kafka "bootstrap.servers" -}}
{{- fail "config.kafka[\"bootstrap.servers\"] is set: give the brokers in kafka.bootstrapServers, which KEDA and the network policy need too" -}}
{{- end -}}
{{- if hasKey $v.config "instance_id" -}}
{{- fail "config.instance_id is set: two pods with one id would fence each other; each pod's name is its instance id" -}}
{{- end -}}
{{- if hasKey $v.config "rules" -}}
{{- fail "config.rules is set: write rules in rules, beside config" -}}
{{- end -}}
{{- if hasKey $v.config "http" -}}
{{- fail "config.http is set: probes and the Service need to know the port; set http.port and http.address" -}}
{{- end -}}
{{- if hasKey $v.config "membership" -}}
{{- fail "config.membership is set: set staticMembership.enabled" -}}
{{- end -}}
{{- if not (regexMatch "^[a-zA-Z0-9._-]{1,100}$" $v.config.application_id) -}}
{{- fail (printf "config.application_id is %q; valid is 1 to 100 of a-z A-Z 0-9 . _ -" $v.config.application_id) -}}
{{- end -}}
{{- include "hotprefix.checks.pods" . -}}
{{- include "hotprefix.checks.rules" . -}}
{{- include "hotprefix.checks.secrets" . -}}
{{- include "hotprefix.checks.strimzi" . -}}
{{- range (include "hotprefix.workloads" . | fromYaml).workloads -}}
{{- include "hotprefix.checks.scale" (dict "root" $ "workload" .) -}}
{{- end -}}
{{- if and $v.podMonitor.enabled $v.serviceMonitor.enabled -}}
{{- fail "podMonitor and serviceMonitor are both enabled: every pod would be scraped twice; enable one" -}}
{{- end -}}
{{- if and $v.otel.enabled (not $v.otel.endpoint) -}}
{{- fail "otel.endpoint is missing: give the collector's address, such as http://otel-collector.monitoring:4318" -}}
{{- end -}}
{{- if and $v.staticMembership.enabled (ne $v.kind "StatefulSet") -}}
{{- fail "staticMembership needs kind: StatefulSet, since a Deployment's pods come back under other names" -}}
{{- end -}}
{{- if and (eq $v.mode "all") (or $v.count $v.detect) -}}
{{- fail "count and detect have no effect with mode: all; set mode: split, or replicas, resources and the like at the top" -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.checks.rules" -}}
{{- $v := .Values -}}
{{- if not (or $v.rulePresets $v.rules $v.rulesConfigMaps $v.config.rule_files) -}}
{{- fail "there is no rule: write rules, or name rulePresets or rulesConfigMaps" -}}
{{- end -}}
{{- $seen := list -}}
{{- range $v.rules -}}
{{- if has .name $seen -}}
{{- fail (printf "rules: two rules are named %q; names are unique" .name) -}}
{{- end -}}
{{- if has .name $v.rulePresets -}}
{{- fail (printf "rules: %q is also the name of a preset; take it out of rulePresets, or choose another name" .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- if kindIs "map" .scope -}}
{{- include "hotprefix.checks.file" (dict "files" $v.files "key" (printf "rules: scope of %q" .name) "path" .scope.file) -}}
{{- end -}}
{{- end -}}
{{- range $name, $set := $v.config.sets -}}
{{- if kindIs "map" $set -}}
{{- include "hotprefix.checks.file" (dict "files" $v.files "key" (printf "config.sets.%s" $name) "path" $set.file) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A file of `files` that is named must be there. In: files, key, path. */}}
{{- define "hotprefix.checks.file" -}}
{{- $name := .path | default "" | trimPrefix "/etc/hotprefix/files/" -}}
{{- if and (ne $name (.path | default "")) (not (hasKey .files $name)) -}}
{{- fail (printf "%s names the file %q, and files has %s" .key $name (ternary (keys .files | sortAlpha | join ", ") "nothing" (gt (len .files) 0))) -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.checks.secrets" -}}
{{- $v := .Values -}}
{{- $kafka := $v.config.kafka | default dict -}}
{{- if and $v.kafka.sasl.mechanism (not $v.kafka.sasl.existingSecret) -}}
{{- fail (printf "kafka.sasl.existingSecret is missing: name the Secret with the user of %s, keys %q and %q" $v.kafka.sasl.mechanism $v.kafka.sasl.usernameKey $v.kafka.sasl.passwordKey) -}}
{{- end -}}
{{- if and $v.kafka.sasl.existingSecret (not $v.kafka.sasl.mechanism) -}}
{{- fail "kafka.sasl.mechanism is missing: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512" -}}
{{- end -}}
{{- if and (or $v.kafka.tls.ca.existingSecret $v.kafka.tls.clientCertificate.existingSecret) (not $v.kafka.tls.enabled) -}}
{{- fail "kafka.tls has Secrets and is not enabled: set kafka.tls.enabled" -}}
{{- end -}}
{{- range $name, $value := $kafka -}}
{{- if has $name (include "hotprefix.ownedProperties" $ | fromYamlArray) -}}
{{- fail (printf "config.kafka[%q] is set, which hotprefix decides itself and refuses: `hotprefix check` gives the reason" $name) -}}
{{- end -}}
{{- if and (regexMatch "(password|secret|\\.pem)$" $name) (not (kindIs "map" $value)) -}}
{{- fail (printf "config.kafka[%q] would put a secret into a ConfigMap: name a Secret in kafka.sasl or kafka.secretProperties" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.checks.strimzi" -}}
{{- $v := .Values -}}
{{- if and (or $v.strimzi.topics.enabled $v.strimzi.user.enabled) (not $v.strimzi.cluster) -}}
{{- fail "strimzi.cluster is missing: the name of the Kafka resource that topics and user belong to" -}}
{{- end -}}
{{- if and $v.strimzi.user.enabled (eq $v.strimzi.user.authentication "tls") (not $v.kafka.tls.enabled) -}}
{{- fail "strimzi.user.authentication is tls and kafka.tls is not enabled: a client certificate needs TLS" -}}
{{- end -}}
{{- if and $v.strimzi.user.enabled (not (include "hotprefix.strimziSecrets" .)) (not $v.kafka.sasl.existingSecret) (not $v.kafka.tls.clientCertificate.existingSecret) -}}
{{- fail (printf "the user's Secret will be in namespace %s, where pods of %s cannot mount it: copy it, and name the copy in kafka.sasl.existingSecret or kafka.tls.clientCertificate.existingSecret" (include "hotprefix.strimziNamespace" .) .Release.Namespace) -}}
{{- end -}}
{{- if and $v.strimzi.topics.enabled (gt (int $v.strimzi.topics.minInsyncReplicas) (int (include "hotprefix.topicReplicas" .))) -}}
{{- fail (printf "strimzi.topics.minInsyncReplicas is %d with %s replicas: nothing could ever be written" (int $v.strimzi.topics.minInsyncReplicas) (include "hotprefix.topicReplicas" .)) -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.checks.scale" -}}
{{- $w := .workload -}}
{{- $a := $w.values.autoscaling -}}
{{- $scale := include "hotprefix.scale" $w | fromYaml -}}
{{- $partitions := int $a.inputPartitions -}}
{{- $where := ternary "" (printf "%s." $w.stage) (eq $w.stage "all") -}}
{{- if and $a.hpa.enabled $a.keda.enabled (ne $w.stage "detect") -}}
{{- fail (printf "%sautoscaling.hpa and %sautoscaling.keda are both enabled: they would fight over the replicas; enable one" $where $where) -}}
{{- end -}}
{{- if gt (int $scale.minimum) (int $scale.maximum) -}}
{{- fail (printf "%sautoscaling.%s.minReplicas is %d, above maxReplicas %d" $where $scale.by (int $scale.minimum) (int $scale.maximum)) -}}
{{- end -}}
{{- if eq $scale.by "keda" -}}
{{- if eq $partitions 0 -}}
{{- fail (printf "%sautoscaling.inputPartitions is missing: more pods than input partitions idle, so KEDA needs it as a bound" $where) -}}
{{- end -}}
{{- end -}}
{{- if and (ne $scale.by "replicas") (ne $w.stage "detect") (gt $partitions 0) (gt (int $scale.maximum) $partitions) -}}
{{- fail (printf "%sautoscaling.%s.maxReplicas is %d, above the %d partitions of the input: the others would idle" $where $scale.by (int $scale.maximum) $partitions) -}}
{{- end -}}
{{- $internal := int ((.root.Values.config.internal | default dict).partitions | default 4) -}}
{{- if and (ne $scale.by "replicas") (eq $w.stage "detect") (gt (int $scale.maximum) $internal) -}}
{{- fail (printf "%sautoscaling.%s.maxReplicas is %d, above the %d partitions between the stages (config.internal.partitions): the others would idle" $where $scale.by (int $scale.maximum) $internal) -}}
{{- end -}}
{{- if and (eq $scale.by "hpa") (not (dig "requests" "cpu" "" $w.values.resources)) -}}
{{- fail (printf "%sresources.requests.cpu is missing: the HPA's target is a share of it" $where) -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.checks.pods" -}}
{{- $v := .Values -}}
{{- range $v.extraVolumeMounts -}}
{{- if regexMatch "^/etc/hotprefix(/|$)" .mountPath -}}
{{- fail (printf "extraVolumeMounts: %s is below /etc/hotprefix, which is the chart's and read-only; mount it elsewhere, or use files" .mountPath) -}}
{{- end -}}
{{- end -}}
{{- range concat $v.extraEnv ($v.count.extraEnv | default list) ($v.detect.extraEnv | default list) -}}
{{- if has .name (list "POD_NAME" "HOTPREFIX__INSTANCE_ID" "HOTPREFIX__HTTP__LISTEN") -}}
{{- fail (printf "extraEnv: %s is set by the chart: two pods with one instance id fence each other, and probes need to know the port" .name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.kind "StatefulSet") (eq ($v.updateStrategy.type | default "") "Recreate") -}}
{{- fail "updateStrategy.type is Recreate, which a StatefulSet has not; valid is RollingUpdate or OnDelete" -}}
{{- end -}}
{{- if and (eq $v.kind "Deployment") (eq ($v.updateStrategy.type | default "") "OnDelete") -}}
{{- fail "updateStrategy.type is OnDelete, which a Deployment has not; valid is RollingUpdate or Recreate" -}}
{{- end -}}
{{- end -}}

{{/* Properties of librdkafka that the configuration may not set: src/config/kafka/owned.rs, compared by a test. */}}
{{- define "hotprefix.ownedProperties" -}}
- group.id
- group.instance.id
- group.protocol.type
- partition.assignment.strategy
- max.poll.interval.ms
- enable.auto.commit
- auto.commit.enable
- auto.commit.interval.ms
- enable.auto.offset.store
- offset.store.method
- offset.store.path
- offset.store.sync.interval.ms
- auto.offset.reset
- isolation.level
- enable.partition.eof
- allow.auto.create.topics
- topic.metadata.refresh.interval.ms
- fetch.queue.backoff.ms
- transactional.id
- transaction.timeout.ms
- message.timeout.ms
- delivery.timeout.ms
- enable.idempotence
- enable.gapless.guarantee
- acks
- request.required.acks
- message.max.bytes
- partitioner
- queuing.strategy
- log.queue
- delivery.report.only.error
{{- end -}}
