package main

import (
	"encoding/json"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

type placing struct {
	Matches bool `json:"matches"`
}

// place says whether a pod's node selector and required node affinity let it run on a node. What is wrong with a
// requirement is an error beside the answer, which the scheduler does not look at.
func place(q question) any {
	var p v1.Pod
	if err := json.Unmarshal(q.Pod, &p); err != nil {
		return failure{err.Error()}
	}
	var n v1.Node
	if err := json.Unmarshal(q.Node, &n); err != nil {
		return failure{err.Error()}
	}
	matches, _ := nodeaffinity.GetRequiredNodeAffinity(&p).Match(&n)
	return placing{matches}
}
