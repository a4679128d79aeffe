package lifecycle_test

import (
	"context"
	"fmt"

	"github.com/etrainer/backend/pkg/lifecycle"
)

func Example() {
	part := func(name string) lifecycle.Service {
		return lifecycle.NewLoop(name, func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println(name, "ends:", context.Cause(ctx))
			return nil
		})
	}
	g := lifecycle.NewGroup(nil)
	g.Add("database", part("database")) // first in, last out
	g.Add("worker", part("worker"))

	ctx := context.Background()
	if err := g.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := g.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// worker ends: the service is stopping
	// database ends: the service is stopping
}
