{{/* Names and labels. */}}

{{- define "hotprefix.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: a StatefulSet's name and a hash must fit into a label of 63. */}}
{{- define "hotprefix.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hotprefix.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hotprefix.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What finds every pod of the release. */}}
{{- define "hotprefix.selectorLabels" -}}
app.kubernetes.io/name: {{ include "hotprefix.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hotprefix.labels" -}}
{{ include "hotprefix.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hotprefix
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object. In: root, name; optional namespace, labels and annotations (maps), component. */}}
{{- define "hotprefix.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- $labels := include "hotprefix.labels" .root | fromYaml }}
  {{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end }}
  {{- toYaml (mergeOverwrite $labels (.labels | default dict)) | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "hotprefix.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hotprefix.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hotprefix.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* `workloads`: a list of {stage, name, values}, one of stage `all`, or `count` and `detect` with their overrides. */}}
{{- define "hotprefix.workloads" -}}
{{- $keys := list "replicas" "resources" "autoscaling" "podDisruptionBudget" "nodeSelector" "tolerations" "affinity" "topologySpread" "priorityClassName" "podAnnotations" "podLabels" "extraEnv" -}}
{{- $shared := dict -}}
{{- range $keys }}{{ $_ := set $shared . (index $.Values .) }}{{ end -}}
{{- $list := list -}}
{{- if eq .Values.mode "all" -}}
{{- $list = append $list (dict "stage" "all" "name" (include "hotprefix.fullname" .) "values" $shared) -}}
{{- else -}}
{{- range $stage := list "count" "detect" -}}
{{- $own := mergeOverwrite (deepCopy $shared) (deepCopy (index $.Values $stage)) -}}
{{- $list = append $list (dict "stage" $stage "name" (printf "%s-%s" (include "hotprefix.fullname" $) $stage) "values" $own) -}}
{{- end -}}
{{- end -}}
{{- dict "workloads" $list | toYaml -}}
{{- end -}}

{{/* `minimum` and `maximum` of a workload's pods, and who decides: `by` is replicas, hpa or keda. In: workload. */}}
{{- define "hotprefix.scale" -}}
{{- $a := .values.autoscaling -}}
{{- if and $a.keda.enabled (ne .stage "detect") -}}
{{- dict "by" "keda" "minimum" $a.keda.minReplicas "maximum" $a.keda.maxReplicas | toYaml -}}
{{- else if $a.hpa.enabled -}}
{{- dict "by" "hpa" "minimum" $a.hpa.minReplicas "maximum" $a.hpa.maxReplicas | toYaml -}}
{{- else -}}
{{- dict "by" "replicas" "minimum" .values.replicas "maximum" .values.replicas | toYaml -}}
{{- end -}}
{{- end -}}
