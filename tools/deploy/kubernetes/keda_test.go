package kubernetes_test

import (
	autoscaling "k8s.io/api/autoscaling/v2"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaledObject is KEDA's ScaledObject (keda.sh/v1alpha1), as far as it is used
// here: a field beyond these is an error until it was looked up and added. KEDA's
// own module would bring a whole operator.
type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`

	Spec struct {
		ScaleTargetRef struct {
			APIVersion string `json:"apiVersion,omitempty"`
			Kind       string `json:"kind,omitempty"`
			Name       string `json:"name"`
		} `json:"scaleTargetRef"`
		PollingInterval *int32 `json:"pollingInterval,omitempty"`
		CooldownPeriod  *int32 `json:"cooldownPeriod,omitempty"`
		MinReplicaCount *int32 `json:"minReplicaCount,omitempty"`
		MaxReplicaCount *int32 `json:"maxReplicaCount,omitempty"`
		Advanced        *struct {
			HorizontalPodAutoscalerConfig *struct {
				Behavior *autoscaling.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
			} `json:"horizontalPodAutoscalerConfig,omitempty"`
		} `json:"advanced,omitempty"`
		Triggers []trigger `json:"triggers"`
	} `json:"spec"`
}

type trigger struct {
	Type       string                       `json:"type"`
	Name       string                       `json:"name,omitempty"`
	MetricType autoscaling.MetricTargetType `json:"metricType,omitempty"`
	// Metadata of the Prometheus scaler.
	Metadata struct {
		ServerAddress       string `json:"serverAddress"`
		Query               string `json:"query"`
		Threshold           string `json:"threshold"`
		ActivationThreshold string `json:"activationThreshold,omitempty"`
	} `json:"metadata"`
}
