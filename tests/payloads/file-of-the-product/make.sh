mkdir app; echo {} >app/services.json
