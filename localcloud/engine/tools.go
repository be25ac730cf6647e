//go:build tools

// Package engine pins what is built from Pulumi's Go modules.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
