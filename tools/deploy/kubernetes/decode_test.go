package kubernetes_test

import (
	"errors"
	"fmt"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
)

// types are the kinds that the overlays may have.
var types = map[string]func() meta.Object{
	"v1 ConfigMap":                            func() meta.Object { return &core.ConfigMap{} },
	"v1 Namespace":                            func() meta.Object { return &core.Namespace{} },
	"v1 Secret":                               func() meta.Object { return &core.Secret{} },
	"v1 Service":                              func() meta.Object { return &core.Service{} },
	"v1 ServiceAccount":                       func() meta.Object { return &core.ServiceAccount{} },
	"apps/v1 Deployment":                      func() meta.Object { return &apps.Deployment{} },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() meta.Object { return &autoscaling.HorizontalPodAutoscaler{} },
	"batch/v1 Job":                            func() meta.Object { return &batch.Job{} },
	"networking.k8s.io/v1 Ingress":            func() meta.Object { return &networking.Ingress{} },
	"networking.k8s.io/v1 NetworkPolicy":      func() meta.Object { return &networking.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":           func() meta.Object { return &policy.PodDisruptionBudget{} },
	"gateway.networking.k8s.io/v1 HTTPRoute":  func() meta.Object { return &gateway.HTTPRoute{} },
	"monitoring.coreos.com/v1 ServiceMonitor": func() meta.Object { return &monitoring.ServiceMonitor{} },
	"monitoring.coreos.com/v1 PrometheusRule": func() meta.Object { return &monitoring.PrometheusRule{} },
	"keda.sh/v1alpha1 ScaledObject":           func() meta.Object { return &scaledObject{} },
}

// decode reads one object; unknown and doubled fields are errors, as for the
// API server with strict validation.
func decode(text []byte) (meta.Object, error) {
	var kind meta.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &kind); err != nil {
		return nil, err
	}
	empty, ok := types[kind.APIVersion+" "+kind.Kind]
	if !ok {
		return nil, fmt.Errorf("the kind %s %s is unknown", kind.APIVersion, kind.Kind)
	}
	object := empty()
	strict, err := json.UnmarshalStrict(text, object)
	return object, errors.Join(append(strict, err)...)
}

// objects are what an overlay makes.
type objects []meta.Object

// all returns the objects of one type.
func all[T meta.Object](from objects) []T {
	var found []T
	for _, each := range from {
		if object, ok := each.(T); ok {
			found = append(found, object)
		}
	}
	return found
}

// one returns the object of a type and name, or the zero value.
func one[T meta.Object](from objects, name string) (object T) {
	for _, each := range all[T](from) {
		if each.GetName() == name {
			return each
		}
	}
	return object
}

// workload is a pod template, and who owns it.
type workload struct {
	name string
	pod  core.PodTemplateSpec
}

func workloads(from objects) []workload {
	var found []workload
	for _, d := range all[*apps.Deployment](from) {
		found = append(found, workload{d.Name, d.Spec.Template})
	}
	for _, j := range all[*batch.Job](from) {
		found = append(found, workload{j.Name, j.Spec.Template})
	}
	return found
}
