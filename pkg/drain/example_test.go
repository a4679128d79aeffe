package drain_test

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/etrainer/backend/pkg/drain"
)

func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := drain.New(&http.Server{Handler: http.NotFoundHandler()}, listener)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()

	// Later, at the end of the process:
	fmt.Println(server.Stop(context.Background()))
	fmt.Println(<-ended)
	// Output:
	// <nil>
	// <nil>
}
