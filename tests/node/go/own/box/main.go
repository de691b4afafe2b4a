// Box is all that the tests' containers hold: it waits, ends as it is told, or does not want to end.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	deed, number := "wait", 0
	if len(os.Args) > 1 {
		deed = os.Args[1]
	}
	if len(os.Args) > 2 {
		var err error
		if number, err = strconv.Atoi(os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "box: %q is no number\n", os.Args[2])
			os.Exit(64)
		}
	}
	// The first process of a container gets no signal that it does not ask for.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	fmt.Printf("box %s NVIDIA_VISIBLE_DEVICES=%s\n", deed, os.Getenv("NVIDIA_VISIBLE_DEVICES"))
	switch deed {
	case "wait": // until it is asked to end
		<-asked
	case "exit": // with this code, at once
		os.Exit(number)
	case "last": // for so many seconds, whoever asks
		time.Sleep(time.Duration(number) * time.Second)
	default:
		fmt.Fprintf(os.Stderr, "box: wait, exit CODE or last SECONDS; not %q\n", deed)
		os.Exit(64)
	}
}
