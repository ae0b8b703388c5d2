{{- define "anchorage.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component; never changes within a release. */}}
{{- define "anchorage.selector" -}}
app.kubernetes.io/name: {{ default .ctx.Chart.Name .ctx.Values.nameOverride }}
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "anchorage.labels" -}}
{{ include "anchorage.selector" . }}
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: anchorage
app.kubernetes.io/managed-by: {{ .ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .ctx.Chart.Name .ctx.Chart.Version }}
{{- with .ctx.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "anchorage.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The restricted Pod Security Standard, for a pod that runs as `uid`. */}}
{{- define "anchorage.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "anchorage.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Whether all pods must be on one node, since they share a volume that only one node can mount. */}}
{{- define "anchorage.oneNode" -}}
{{- $p := .Values.blobs.persistence -}}
{{- if and (eq .Values.blobs.kind "pvc") (not $p.existingClaim) (eq $p.accessMode "ReadWriteOnce") -}}true{{- end -}}
{{- end -}}

{{/* Takes ctx, and scratch where no document is read or written. */}}
{{- define "anchorage.volumes" -}}
- name: tmp
  emptyDir: {}
- name: data
{{- if and (eq .ctx.Values.blobs.kind "pvc") (not .scratch) }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-documents" (include "anchorage.fullname" .ctx)) .ctx.Values.blobs.persistence.existingClaim }}
{{- else }}
  emptyDir: {}
{{- end }}
{{- end -}}

{{- define "anchorage.mounts" -}}
- name: tmp
  mountPath: /tmp
- name: data
  mountPath: /data
{{- end -}}

{{/* Where pods go. Takes ctx, component, placement, and scratch as volumes do. */}}
{{- define "anchorage.placement" -}}
{{- $one := and (not .scratch) (include "anchorage.oneNode" .ctx) -}}
{{- with .placement.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .placement.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .placement.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .placement.affinity }}
affinity: {{- toYaml .placement.affinity | nindent 2 }}
{{- else if $one }}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            app.kubernetes.io/instance: {{ .ctx.Release.Name }}
            anchorage-documents: one-node
{{- else }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "anchorage.selector" . | nindent 14 }}
{{- end }}
{{- if not $one }}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "anchorage.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Names a Secret that the operators make of this release's settings. */}}
{{- define "anchorage.settingsSecret" -}}{{ include "anchorage.fullname" . }}-settings{{- end -}}

{{/* All settings of a role. Takes ctx and env, the variables of the role's own; and token where it speaks with other roles. */}}
{{- define "anchorage.env" -}}
{{- $full := include "anchorage.fullname" .ctx -}}
{{- $values := .ctx.Values -}}
envFrom:
  - configMapRef:
      name: {{ $full }}
{{- if or $values.secrets.external.enabled $values.secrets.sealed.enabled }}
  - secretRef:
      name: {{ include "anchorage.settingsSecret" .ctx }}
{{- end }}
{{- range $values.secrets.envFrom }}
  - secretRef:
      name: {{ . }}
{{- end }}
env:
{{- range $name, $from := $values.secrets.env }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ $from.secret }}
        key: {{ $from.key }}
{{- end }}
{{- if eq $values.database.kind "postgres" }}
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ default (printf "%s-postgres" $full) $values.postgres.auth.existingSecret }}
        key: password
{{- range list "VECTOR_DB_URL" "STATE_DB_URL" }}
  - name: {{ . }}
    value: postgresql://anchorage@{{ $full }}-postgres:5432/anchorage
{{- end }}
{{- else if eq $values.database.kind "cnpg" }}
{{- range list "VECTOR_DB_URL" "STATE_DB_URL" }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef:
        name: {{ $full }}-db-app
        key: uri
{{- end }}
{{- end }}
{{- if $values.redis.enabled }}
  - name: REDIS_PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ default (printf "%s-redis" $full) $values.redis.auth.existingSecret }}
        key: password
  - name: REDIS_URL
    value: redis://:$(REDIS_PASSWORD)@{{ $full }}-redis:6379/0
{{- end }}
{{- if eq $values.blobs.kind "s3" }}
  - name: ANCHORAGE_BLOBS__URL
    value: {{ $values.blobs.url | quote }}
{{- end }}
{{- if .token }}
  - name: ANCHORAGE_ROLES__TOKEN
    valueFrom:
      secretKeyRef:
        name: {{ default (printf "%s-roles" $full) $values.roles.auth.existingSecret }}
        key: token
{{- end }}
{{- range $name, $value := .env }}
  - name: {{ $name }}
    value: {{ include "anchorage.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* Restarts pods when what they read at their start has changed. */}}
{{- define "anchorage.checksums" -}}
checksum/config: {{ list .Values.config .Values.redis.enabled | toJson | sha256sum }}
checksum/secrets: {{ dict "secrets" .Values.secrets "database" .Values.database.kind "roles" .Values.roles | toJson | sha256sum }}
{{- end -}}

{{/* Waits until the databases answer and have all steps of this release. Takes ctx. */}}
{{- define "anchorage.waitForDatabases" -}}
- name: wait-for-databases
  image: {{ include "anchorage.image" .ctx }}
  imagePullPolicy: {{ .ctx.Values.image.pullPolicy }}
  args: [migrate, --check, --wait, {{ .ctx.Values.database.wait | toString | quote }}]
  {{- include "anchorage.env" (dict "ctx" .ctx "env" dict) | nindent 2 }}
  securityContext: {{- include "anchorage.containerSecurity" .ctx | nindent 4 }}
  resources: {{- toYaml .ctx.Values.migrate.resources | nindent 4 }}
  volumeMounts: {{- include "anchorage.mounts" .ctx | nindent 4 }}
{{- end -}}

{{- define "anchorage.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: http}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: {{ .startup }}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  {{- toYaml .readiness | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: http}
  {{- toYaml .liveness | nindent 2 }}
{{- end -}}

{{/* What all pods of ours begin with. Takes ctx and component, and scratch as volumes do. */}}
{{- define "anchorage.pod" -}}
serviceAccountName: {{ include "anchorage.fullname" .ctx }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false # their variables would look like settings
{{- with .ctx.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext: {{- include "anchorage.podSecurity" 10001 | nindent 2 }}
volumes: {{- include "anchorage.volumes" . | nindent 2 }}
{{- end -}}

{{- define "anchorage.podLabels" -}}
{{ include "anchorage.labels" . }}
{{- if and (not .scratch) (include "anchorage.oneNode" .ctx) }}
anchorage-documents: one-node
{{- end }}
{{- end -}}

{{/* A password in base64: the one in the cluster, or a new one where there is none. Takes ctx and name, and key where it is not `password`. */}}
{{- define "anchorage.keptPassword" -}}
{{- $found := lookup "v1" "Secret" .ctx.Release.Namespace .name -}}
{{- $key := default "password" .key -}}
{{- if and $found $found.data (index $found.data $key) -}}
{{- index $found.data $key -}}
{{- else -}}
{{- randAlphaNum 40 | b64enc -}}
{{- end -}}
{{- end -}}

{{/* Changes whenever a Job must run again: a Job itself cannot be changed. */}}
{{- define "anchorage.jobSuffix" -}}
{{- $what := dict "image" (include "anchorage.image" .) "values" (omit .Values "api" "worker" "retrieval" "ingest" "mcp" "roles" "ingress" "httpRoute" "networkPolicy" "monitoring" "test") -}}
{{- printf "%d-%s" .Release.Revision ($what | toJson | sha256sum | trunc 8) -}}
{{- end -}}

{{/* An argument for a shell, in single quotes. */}}
{{- define "anchorage.sh" -}}
{{- printf "'%s'" (replace "'" `'\''` (toString .)) -}}
{{- end -}}

{{/* Peers: pods of the release, of some components. Takes ctx, components. */}}
{{- define "anchorage.ours" -}}
- podSelector:
    matchLabels: {{- include "anchorage.selector" (dict "ctx" .ctx) | nindent 6 }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: {{ .components | toJson }}}
{{- end -}}

{{/* A value as text. Helm reads numbers as floats, and would write a million as 1e+06. */}}
{{- define "anchorage.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* The components that are there, in JSON: those that answer requests, and with `worker` all that has a Deployment. */}}
{{- define "anchorage.serving" -}}
{{- $found := list "api" -}}
{{- range $role := list "retrieval" "ingest" "mcp" -}}
{{- if (get $.Values $role).enabled }}{{ $found = append $found $role }}{{ end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* A Deployment that answers requests. Takes ctx, component, role (its values), args, env, and scratch where it keeps no document. */}}
{{- define "anchorage.server" -}}
{{- $ctx := .ctx -}}
{{- $api := .ctx.Values.api -}}
{{- $scope := dict "ctx" .ctx "component" .component "scratch" .scratch -}}
{{- $split := or $ctx.Values.retrieval.enabled $ctx.Values.ingest.enabled -}}
{{- $env := dict "ANCHORAGE_HTTP__LINGER" $api.linger "ANCHORAGE_HTTP__DRAIN_TIMEOUT" $api.drainTimeout "ANCHORAGE_HTTP__SHUTDOWN_TIMEOUT" $api.shutdownTimeout "ANCHORAGE_EMBEDDING__THREADS" .role.embeddingThreads "ANCHORAGE_INGEST__PARSERS" 1 -}}
{{- with $api.maxStreams }}{{ $_ := set $env "ANCHORAGE_HTTP__MAX_STREAMS" . }}{{ end -}}
{{- with .rootPath }}{{ $_ := set $env "ANCHORAGE_HTTP__ROOT_PATH" . }}{{ end -}}
{{- $urls := dict "api" (list "retrieval" "ingest") "mcp" (list "retrieval") -}}
{{- range $role := default list (get $urls .component) -}}
{{- if (get $ctx.Values $role).enabled }}{{ $_ := set $env (printf "%s_URL" (upper $role)) (printf "http://%s-%s:8000" (include "anchorage.fullname" $ctx) $role) }}{{ end -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "anchorage.fullname" .ctx }}-{{ .component }}
  labels: {{- include "anchorage.labels" $scope | nindent 4 }}
spec:
  {{- if not .role.autoscaling.enabled }}
  replicas: {{ .role.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}
  selector:
    matchLabels: {{- include "anchorage.selector" $scope | nindent 6 }}
  template:
    metadata:
      labels: {{- include "anchorage.podLabels" $scope | nindent 8 }}
      annotations:
        {{- include "anchorage.checksums" .ctx | nindent 8 }}
        {{- with .role.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "anchorage.pod" $scope | nindent 6 }}
      {{- include "anchorage.placement" (merge (dict "placement" .role.placement) $scope) | nindent 6 }}
      # Serving on while it is forgotten, the requests' time, and 10 s for closing what is open.
      terminationGracePeriodSeconds: {{ add $api.linger $api.shutdownTimeout 10 }}
      initContainers:
        {{- include "anchorage.waitForDatabases" $scope | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "anchorage.image" .ctx }}
          imagePullPolicy: {{ .ctx.Values.image.pullPolicy }}
          args: {{ toJson .args }}
          {{- include "anchorage.env" (dict "ctx" .ctx "env" $env "token" $split) | nindent 10 }}
          ports:
            - name: http
              containerPort: 8000
          {{- include "anchorage.probes" $api.probes | nindent 10 }}
          securityContext: {{- include "anchorage.containerSecurity" .ctx | nindent 12 }}
          resources: {{- toYaml .role.resources | nindent 12 }}
          volumeMounts: {{- include "anchorage.mounts" .ctx | nindent 12 }}
{{- end -}}
