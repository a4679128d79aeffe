package apitest

import (
	"net/url"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
)

// Proxy stands between the api and the database, and can cut the connection.
type Proxy struct{ *outagetest.Proxy }

// NewProxy returns a Proxy to the test's database server, which is up.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	target, err := url.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	return &Proxy{outagetest.New(t, target.Host)}
}

// URI is the address of the database by way of the proxy.
func (p *Proxy) URI() string { return "mongodb://" + p.Address() + "/" }

// Options make mongotest.Database connect by way of the proxy.
func (p *Proxy) Options() *options.ClientOptions {
	return options.Client().SetHosts([]string{p.Address()}).SetDirect(true)
}
