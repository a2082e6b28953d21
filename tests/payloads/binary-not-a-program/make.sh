printf script >one
