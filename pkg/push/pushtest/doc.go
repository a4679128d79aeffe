// Package pushtest is test support for push: stand-ins for Expo and for
// Firebase Cloud Messaging that check tokens, headers and bodies as strictly
// as the services do and fail on demand, and the suite that every adapter
// passes.
package pushtest
