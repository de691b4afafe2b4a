package main

import (
	"encoding/json"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	"k8s.io/utils/clock"
)

type demand struct {
	Requests map[v1.ResourceName]number `json:"requests"`
	Limits   map[v1.ResourceName]number `json:"limits"`
	// Refusal is what ResourceQuota says of a pod that leaves a required resource unset.
	Refusal string `json:"refusal"`
}

func pod(q question) any {
	var p v1.Pod
	if err := json.Unmarshal(q.Pod, &p); err != nil {
		return failure{err.Error()}
	}
	corev1.SetObjectDefaults_Pod(&p)
	// The options of the scheduler's PodInfo.CalculateResource, with the feature gates' defaults.
	options := resource.PodResourcesOptions{
		UseStatusResources: q.Held,
		InPlacePodLevelResourcesVerticalScalingEnabled: q.Held,
	}
	result := demand{
		Requests: numbers(resource.PodRequests(&p, options)),
		Limits:   numbers(resource.PodLimits(&p, options)),
	}
	required := make([]v1.ResourceName, 0, len(q.Required))
	for _, name := range q.Required {
		required = append(required, v1.ResourceName(name))
	}
	if err := core.NewPodEvaluator(nil, clock.RealClock{}).Constraints(required, &p); err != nil {
		result.Refusal = err.Error()
	}
	return result
}

func numbers(list v1.ResourceList) map[v1.ResourceName]number {
	result := make(map[v1.ResourceName]number, len(list))
	for name, quantity := range list {
		result[name] = numberOf(quantity)
	}
	return result
}
