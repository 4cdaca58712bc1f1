//! `AWS::Serverless::*` becomes plain CloudFormation. Pure: no I/O.
