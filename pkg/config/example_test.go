package config_test

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/config"
)

func ExampleLoad() {
	type settings struct {
		Port   int           `env:"PORT" envDefault:"8080"`
		Secret config.Secret `env:"JWT_SECRET_KEY,required" help:"signs access tokens"`
		Grace  time.Duration `env:"GRACE" envDefault:"30s"`
	}
	environment := map[string]string{"PORT": "http", "GRACE": "30"}

	var s settings
	fmt.Println(config.Load(&s, config.Options{Environment: environment}))
	// Output:
	// the configuration is not valid:
	//   - PORT is "http", which is not a whole number: set it to a number such as 8080
	//   - JWT_SECRET_KEY is not set: set it (signs access tokens)
	//   - GRACE is "30", which is not a duration: write a number with a unit, such as 30s (units: ms, s, m, h)
}

func ExampleDescribe() {
	type settings struct {
		Port   int           `env:"PORT" envDefault:"8080" help:"port of the public listener"`
		Secret config.Secret `env:"JWT_SECRET_KEY" help:"signs access tokens"`
	}
	for _, entry := range config.Describe(&settings{Port: 80, Secret: "hunter2"}) {
		fmt.Printf("%s=%s  # %s\n", entry.Name, entry.Value, entry.Help)
	}
	// Output:
	// PORT=80  # port of the public listener
	// JWT_SECRET_KEY=[hidden]  # signs access tokens
}
