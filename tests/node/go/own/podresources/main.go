// Podresources prints what a kubelet's PodResources socket says, as one JSON object.
//
// It is the tests' own witness, on Kubernetes' own client code: nothing of labquota is in it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"
)

type device struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Resource  string `json:"resource"`
	ID        string `json:"id"`
}

type answer struct {
	Held        []device            `json:"held"`
	Allocatable map[string][]string `json:"allocatable"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: podresources SOCKET")
		os.Exit(64)
	}
	found, err := ask(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "podresources:", err)
		os.Exit(1)
	}
}

func ask(socket string) (*answer, error) {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	client := api.NewPodResourcesListerClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	listed, err := client.List(ctx, &api.ListPodResourcesRequest{})
	if err != nil {
		return nil, err
	}
	offered, err := client.GetAllocatableResources(ctx, &api.AllocatableResourcesRequest{})
	if err != nil {
		return nil, err
	}
	found := &answer{Held: []device{}, Allocatable: map[string][]string{}}
	for _, pod := range listed.GetPodResources() {
		for _, container := range pod.GetContainers() {
			for _, given := range container.GetDevices() {
				for _, id := range given.GetDeviceIds() {
					found.Held = append(found.Held, device{
						pod.GetNamespace(), pod.GetName(), container.GetName(), given.GetResourceName(), id,
					})
				}
			}
		}
	}
	for _, each := range offered.GetDevices() {
		name := each.GetResourceName()
		found.Allocatable[name] = append(found.Allocatable[name], each.GetDeviceIds()...)
	}
	return found, nil
}
