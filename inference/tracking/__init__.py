"""The FIMAE catheter-tip tracker."""
