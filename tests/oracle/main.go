// The oracle answers what Kubernetes itself makes of quantities and pods, and on which nodes they may run.
//
// It reads one JSON question a line and writes one JSON answer a line:
//
//	{"op": "quantity", "text": "1.5Gi"}
//	{"op": "pod", "pod": {...}, "held": true, "required": ["requests.cpu"]}
//	{"op": "place", "pod": {...}, "node": {...}}
//
// A pod gets the API server's defaults first. "held" says whether the pod's status counts, as it does for
// the scheduler; without it the answer is what the spec asks for.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type question struct {
	Op       string          `json:"op"`
	Text     string          `json:"text"`
	Pod      json.RawMessage `json:"pod"`
	Node     json.RawMessage `json:"node"`
	Held     bool            `json:"held"`
	Required []string        `json:"required"`
}

type failure struct {
	Error string `json:"error"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		if err := encoder.Encode(answer(lines.Bytes())); err != nil {
			fail(err)
		}
		if err := out.Flush(); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func answer(line []byte) any {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return failure{err.Error()}
	}
	switch q.Op {
	case "quantity":
		return quantity(q.Text)
	case "pod":
		return pod(q)
	case "place":
		return place(q)
	}
	return failure{fmt.Sprintf("unknown op %q", q.Op)}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "oracle:", err)
	os.Exit(1)
}
